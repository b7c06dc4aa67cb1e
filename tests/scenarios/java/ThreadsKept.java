// SPDX-License-Identifier: Apache-2.0
//
// Threads are started, run 300 frames deep once, and wait for ever: each keeps the stack it touched.
import java.util.concurrent.CountDownLatch;

public final class ThreadsKept {
    private static final CountDownLatch never = new CountDownLatch(1);
    private static int sum;

    private static int descend(int depth) {
        long a = depth;
        long b = a * 3;
        long c = b ^ a;
        return depth == 0 ? (int) (a + b + c) : descend(depth - 1) + (int) (a ^ b ^ c);
    }

    private static void serve() {
        synchronized (never) {
            sum += descend(300);
        }
        try {
            never.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Truth.say("ready", "thread-stacks", ",\"threads\":0");
        long start = System.nanoTime();
        int threads = 0;
        while (Truth.working()) {
            if (threads < 400) {
                Thread thread = new Thread(ThreadsKept::serve, "kept-" + threads);
                thread.setDaemon(true);
                thread.start();
                threads++;
            }
            Truth.pace(start, threads, 70);
        }
        Truth.say("held", "thread-stacks", ",\"threads\":" + threads);
        Truth.rest();
    }
}
