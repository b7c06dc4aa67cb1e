// SPDX-License-Identifier: Apache-2.0
//
// Four threads that allocate and free natively as fast as they can, and check what comes back: text is
// deflated, inflated and compared. Short-lived threads come and go. With "leak" one Deflater in twenty
// is kept. Says {"ready"} at the start, and at "hold" how many rounds were checked and how many were
// wrong.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public final class CheckedWork {
    private static final AtomicLong checked = new AtomicLong();
    private static final AtomicLong wrong = new AtomicLong();
    private static final List<Deflater> kept = Collections.synchronizedList(new ArrayList<>());
    private static volatile boolean working = true;
    private static boolean leaking;

    private CheckedWork() {}

    private static void checkOnce(byte[] text, long round) throws Exception {
        byte[] packed = new byte[text.length + 100];
        byte[] unpacked = new byte[text.length];
        Deflater deflater = new Deflater(1);
        deflater.setInput(text);
        deflater.finish();
        int length = deflater.deflate(packed);
        Inflater inflater = new Inflater();
        inflater.setInput(packed, 0, length);
        int back = inflater.inflate(unpacked);
        inflater.end();
        if (leaking && round % 20 == 0) {
            kept.add(deflater);
        } else {
            deflater.end();
        }
        if (back != text.length || !Arrays.equals(text, unpacked)) {
            wrong.incrementAndGet();
        }
        checked.incrementAndGet();
    }

    private static void work() {
        byte[] text = new byte[3000];
        try {
            for (long round = 0; working; round++) {
                for (int i = 0; i < text.length; i++) {
                    text[i] = (byte) (i * 31 % 97 + round);
                }
                checkOnce(text, round);
                Thread.sleep(1);
            }
        } catch (Exception problem) {
            wrong.incrementAndGet();
        }
    }

    private static void comeAndGo() {
        byte[] text = new byte[500];
        try {
            while (working) {
                Thread brief = new Thread(() -> {
                    try {
                        checkOnce(text, 1);
                    } catch (Exception problem) {
                        wrong.incrementAndGet();
                    }
                });
                brief.start();
                brief.join();
                Thread.sleep(5);
            }
        } catch (InterruptedException problem) {
            wrong.incrementAndGet();
        }
    }

    public static void main(String[] arguments) throws Exception {
        leaking = arguments.length > 0 && arguments[0].equals("leak");
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            threads.add(new Thread(CheckedWork::work));
        }
        threads.add(new Thread(CheckedWork::comeAndGo));
        threads.forEach(Thread::start);
        System.out.println("{\"ready\":true}");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null && !line.equals("hold"); line = input.readLine()) {
            // anything else is not for us
        }
        working = false;
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println("{\"held\":true,\"checked\":" + checked + ",\"wrong\":" + wrong + "}");
        System.exit(wrong.get() == 0 ? 0 : 1);
    }
}
