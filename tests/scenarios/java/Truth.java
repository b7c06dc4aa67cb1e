// SPDX-License-Identifier: Apache-2.0
//
// The conversation with the harness, as in ../programs/scenario.h: one JSON line when the cause is there,
// work until "hold", one more line with the truth, rest until "exit" or the end of the input.
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

final class Truth {
    private static final BufferedReader input = new BufferedReader(new InputStreamReader(System.in));

    private Truth() {}

    static void say(String event, String cause, String extra) {
        System.out.println("{\"" + event + "\":true,\"cause\":\"" + cause + "\",\"sites\":[]" + extra + "}");
        System.out.flush();
    }

    static boolean working() throws IOException {
        return !input.ready() || !"hold".equals(input.readLine());
    }

    static void rest() throws IOException {
        for (String line = input.readLine(); line != null && !line.equals("exit"); line = input.readLine()) {
            // anything else is not for us
        }
        System.exit(0);
    }

    /** Sleeps as long as `done` is ahead of `perSecond` since `startNs`. */
    static void pace(long startNs, long done, double perSecond) throws InterruptedException {
        long aheadMs = (long) (done / perSecond * 1000 - (System.nanoTime() - startNs) / 1e6);
        if (aheadMs > 1) {
            Thread.sleep(aheadMs);
        }
    }
}
