// SPDX-License-Identifier: Apache-2.0
//
// Keeps native memory through each of Java's doors, then says so and waits for the end of its input.
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Deflater;

public final class Kept {
  static final List<Object> kept = new ArrayList<>();

  static native void keepNatively(int bytes);

  static void keepDeflater() {
    Deflater deflater = new Deflater();
    deflater.setInput(new byte[100]);
    deflater.deflate(new byte[200]);
    kept.add(deflater);
  }

  static void keepBuffer() {
    kept.add(ByteBuffer.allocateDirect(100_000));
  }

  static void keepUnsafely() throws Exception {
    var field = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    kept.add(((sun.misc.Unsafe) field.get(null)).allocateMemory(100_000));
  }

  static void keepAll(int depth) throws Exception {
    if (depth > 0) {
      keepAll(depth - 1);
      return;
    }
    keepDeflater();
    keepBuffer();
    keepUnsafely();
    keepNatively(100_000);
  }

  public static void main(String[] arguments) throws Exception {
    System.load(arguments[0]);
    for (int i = 0; i < 200; i++) keepAll(5);
    System.out.println("{\"kept\": " + kept.size() + "}");
    System.in.read();
  }
}
