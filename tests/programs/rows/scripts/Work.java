// SPDX-License-Identifier: Apache-2.0
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.*;

/** Threads that pack, keep direct buffers, start processes and fill the heap; prints one sum, and works on until FILE is there. */
public class Work {
  static byte[] pack(byte[] data) throws Exception {
    Deflater deflater = new Deflater();
    try {
      deflater.setInput(data);
      deflater.finish();
      byte[] out = new byte[data.length + 64];
      return Arrays.copyOf(out, deflater.deflate(out));
    } finally {
      deflater.end();
    }
  }

  static long round(int seed) throws Exception {
    byte[] data = new byte[200_000];
    new Random(seed).nextBytes(data);
    for (int i = 0; i < data.length; i += 2) data[i] = (byte) (i >> 8);
    byte[] packed = pack(data);
    Inflater inflater = new Inflater();
    inflater.setInput(packed);
    byte[] unpacked = new byte[data.length];
    inflater.inflate(unpacked);
    inflater.end();
    ByteBuffer direct = ByteBuffer.allocateDirect(100_000 + seed);
    direct.put(packed, 0, Math.min(packed.length, direct.capacity()));
    Map<String, int[]> kept = new HashMap<>();
    for (int i = 0; i < 5000; ++i) kept.put("key" + i * seed % 7919, new int[] {i, seed});
    CRC32 sum = new CRC32();
    sum.update(unpacked);
    return sum.getValue() + packed.length + direct.position() + kept.size();
  }

  public static void main(String[] arguments) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<Long>> parts = new ArrayList<>();
    for (int seed = 1; seed <= 160; ++seed) {
      int mine = seed;
      parts.add(pool.submit(() -> round(mine)));
    }
    long total = 0;
    for (Future<Long> part : parts) total += part.get();
    for (int i = 0; i < 10; ++i) total += new ProcessBuilder("/bin/sh", "-c", "exit " + i).start().waitFor();
    System.gc();
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 100_000; ++i) text.append(i * 7919 % 1009);
    total += new java.math.BigInteger(1, digest.digest(text.toString().getBytes())).intValue();
    System.out.println("ready " + ProcessHandle.current().pid());
    while (arguments.length > 0 && !new java.io.File(arguments[0]).exists()) round(5);
    pool.shutdown();
    System.out.println("total " + total);
  }
}
