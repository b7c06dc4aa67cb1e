// SPDX-License-Identifier: Apache-2.0
//
// Everything that makes Java stacks hard to follow, at once, for as many seconds as the argument says:
// native methods at many depths, classes loaded, run and unloaded, exceptions, reflection, stack walks,
// short threads, collections, and, where the VM has them, virtual threads that are unmounted midway.
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public final class Stress {
  static volatile boolean stop;
  static volatile long sink;

  public interface Work {
    void run(int depth);
  }

  /** Loaded anew by each Loader, and unloaded with it. */
  public static final class Loaded implements Work {
    @Override
    public void run(int depth) {
      if (depth > 0) run(depth - 1);
      else compress();
    }
  }

  static final class Loader extends ClassLoader {
    private final byte[] code;

    Loader(byte[] code) {
      super(Stress.class.getClassLoader());
      this.code = code;
    }

    Class<?> define() {
      return defineClass("Stress$Loaded", code, 0, code.length);
    }
  }

  public static void compress() {
    byte[] data = new byte[300];
    Deflater deflater = new Deflater();
    deflater.setInput(data);
    deflater.finish();
    byte[] packed = new byte[400];
    int length = deflater.deflate(packed);
    deflater.end();
    Inflater inflater = new Inflater();
    inflater.setInput(packed, 0, length);
    try {
      sink += inflater.inflate(data);
    } catch (java.util.zip.DataFormatException broken) {
      throw new IllegalStateException(broken);
    }
    inflater.end();
  }

  static void allocate() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(4096 + ThreadLocalRandom.current().nextInt(4096));
    sink += buffer.capacity();
  }

  static void leaf(int kind) throws Exception {
    switch (kind) {
      case 0:
        compress();
        break;
      case 1:
        allocate();
        break;
      case 2:
        sink += StackWalker.getInstance().walk(frames -> frames.count());
        break;
      case 3:
        Method method = Stress.class.getDeclaredMethod("compress");
        method.invoke(null);
        break;
      case 4:
        InvocationHandler handler = (proxy, called, arguments) -> {
          compress();
          return null;
        };
        ((Runnable) Proxy.newProxyInstance(Stress.class.getClassLoader(), new Class<?>[] {Runnable.class},
            handler)).run();
        break;
      default:
        throw new IllegalArgumentException("expected");
    }
  }

  static void descend(int depth, int kind) throws Exception {
    if (depth > 0) {
      descend(depth - 1, kind);
      return;
    }
    try {
      leaf(kind);
    } catch (IllegalArgumentException expected) {
      sink += expected.getStackTrace().length;
    }
  }

  static void work() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    try {
      while (!stop) descend(random.nextInt(60), random.nextInt(6));
    } catch (Exception broken) {
      throw new IllegalStateException(broken);
    }
  }

  static void load(byte[] code) {
    try {
      while (!stop) {
        Work work = (Work) new Loader(code).define().getDeclaredConstructor().newInstance();
        for (int i = 0; i < 50; i++) work.run(i);
        Thread.sleep(2);
      }
    } catch (Exception broken) {
      throw new IllegalStateException(broken);
    }
  }

  static void startShortThreads() {
    try {
      while (!stop) {
        Thread thread = new Thread(Stress::compress);
        thread.start();
        thread.join();
      }
    } catch (InterruptedException broken) {
      throw new IllegalStateException(broken);
    }
  }

  /** Sleeps at a depth: when it goes on only the topmost frames are back on a stack. */
  static void sleepDeep(int depth) {
    if (depth > 0) {
      sleepDeep(depth - 1);
      compress();
      return;
    }
    try {
      Thread.sleep(1);
    } catch (InterruptedException broken) {
      throw new IllegalStateException(broken);
    }
    compress();
  }

  static void startVirtualThreads() {
    Method start;
    try {
      start = Thread.class.getMethod("startVirtualThread", Runnable.class);
    } catch (NoSuchMethodException old) {
      return;
    }
    try {
      while (!stop) {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
          final int depth = i;
          threads.add((Thread) start.invoke(null, (Runnable) () -> sleepDeep(depth)));
        }
        for (Thread thread : threads) thread.join();
      }
    } catch (Exception broken) {
      throw new IllegalStateException(broken);
    }
  }

  static Thread started(String name, Runnable body) {
    Thread thread = new Thread(body, name);
    thread.start();
    return thread;
  }

  public static void main(String[] arguments) throws Exception {
    long end = System.nanoTime() + (long) (Double.parseDouble(arguments[0]) * 1e9);
    byte[] code = Files.readAllBytes(Path.of(arguments[1], "Stress$Loaded.class"));
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) threads.add(started("worker-" + i, Stress::work));
    threads.add(started("loader", () -> load(code)));
    threads.add(started("short", Stress::startShortThreads));
    threads.add(started("virtual", Stress::startVirtualThreads));
    while (System.nanoTime() < end) {
      Thread.sleep(400);
      System.gc();
    }
    stop = true;
    for (Thread thread : threads) thread.join();
    System.out.println("done");
  }
}
