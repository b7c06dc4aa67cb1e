// SPDX-License-Identifier: Apache-2.0
//
// A JVM that packs and unpacks: every iteration makes a Deflater and an Inflater, whose memory is malloc's, and ends
// both; one iteration in a hundred keeps its pair unended.
//
//   java Zip ITERATIONS [THREADS]        iterations a thread
//
// Prints how many it kept, its peak, and nanoseconds of CPU time an iteration.
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public final class Zip {
    private static final int KEEP_ONE_IN = 100;
    private static final List<Object> kept = Collections.synchronizedList(new ArrayList<>());

    private static void churn(int iterations, int seed) {
        byte[] text = new byte[2000];
        byte[] packed = new byte[4000];
        byte[] unpacked = new byte[2000];
        Random random = new Random(seed);
        for (int i = 0; i < text.length; i++) {
            text[i] = (byte) random.nextInt(16);
        }
        try {
            for (int i = 1; i <= iterations; i++) {
                Deflater deflater = new Deflater();
                deflater.setInput(text);
                deflater.finish();
                int length = deflater.deflate(packed);
                Inflater inflater = new Inflater();
                inflater.setInput(packed, 0, length);
                if (inflater.inflate(unpacked) != text.length) {
                    throw new IllegalStateException("not what was packed");
                }
                if (i % KEEP_ONE_IN == 0) {
                    kept.add(deflater);
                    kept.add(inflater);
                } else {
                    deflater.end();
                    inflater.end();
                }
            }
        } catch (java.util.zip.DataFormatException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    public static void main(String[] arguments) throws Exception {
        int iterations = Integer.parseInt(arguments[0]);
        Thread[] threads = new Thread[arguments.length > 1 ? Integer.parseInt(arguments[1]) : 1];
        long beginCpuNs = Figures.processCpuNs();
        for (int i = 0; i < threads.length; i++) {
            int seed = i;
            threads[i] = new Thread(() -> churn(iterations, seed), "zip-" + i);
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println("kept " + kept.size());
        Figures.print(beginCpuNs, (long) iterations * threads.length);
    }
}
