// SPDX-License-Identifier: Apache-2.0
//
// A service at rest that has some of everything: objects, threads, direct buffers, classes of many
// loaders, Deflaters, compiled code. Says when it is complete, then waits for the end of its input.
import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.zip.Deflater;

public final class Resting {
    private static final int THREADS = 48;
    private static final int BUFFERS = 32;
    private static final int LOADERS = 200;
    private static final int DEFLATERS = 20;
    private static final List<Object> kept = new ArrayList<>();

    private static void keepThreads() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(THREADS);
        for (int i = 0; i < THREADS; i++) {
            Thread thread = new Thread(() -> {
                started.countDown();
                try {
                    Thread.sleep(Long.MAX_VALUE);
                } catch (InterruptedException end) {
                    Thread.currentThread().interrupt();
                }
            }, "resting-" + i);
            thread.setDaemon(true);
            thread.start();
        }
        started.await();
    }

    private static void keepBuffers() {
        for (int i = 0; i < BUFFERS; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
            for (int at = 0; at < buffer.capacity(); at += 4096) {
                buffer.put(at, (byte) 1);
            }
            kept.add(buffer);
        }
    }

    private static void keepClasses() {
        for (int i = 0; i < LOADERS; i++) {
            URLClassLoader loader = new URLClassLoader(new URL[0]);
            kept.add(Proxy.newProxyInstance(loader, new Class<?>[] {Runnable.class}, (proxy, method, arguments) -> null));
        }
    }

    private static void keepDeflaters() {
        byte[] text = new byte[4000];
        byte[] output = new byte[8000];
        for (int i = 0; i < DEFLATERS; i++) {
            Deflater deflater = new Deflater();
            deflater.setInput(text);
            deflater.finish();
            deflater.deflate(output);
            kept.add(deflater);
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < 40; i++) {
            kept.add(new byte[1 << 20]);
        }
        for (int i = 0; i < 100_000; i++) {
            kept.add(new int[i % 50]);
        }
        System.gc();
        keepThreads();
        keepBuffers();
        keepClasses();
        keepDeflaters();
        System.out.println("{\"ready\":true}");
        System.out.flush();
        while (System.in.read() >= 0) {
            // only the end of the input ends it
        }
    }
}
