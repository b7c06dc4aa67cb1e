// SPDX-License-Identifier: Apache-2.0
//
// A service at work with nothing wrong: four threads answer requests, use Deflaters and end them, and keep a cache
// of constant size in the Java heap.
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.Deflater;

public final class HealthyService {
    private static final AtomicLong served = new AtomicLong();

    private static void serve() {
        byte[][] cache = new byte[500][];
        byte[] text = new byte[4000];
        byte[] output = new byte[8000];
        for (int i = 0; ; i++) {
            Deflater deflater = new Deflater();
            deflater.setInput(text);
            deflater.finish();
            deflater.deflate(output);
            deflater.end();
            cache[i % cache.length] = new byte[4000];
            served.incrementAndGet();
            try {
                Thread.sleep(5);
            } catch (InterruptedException interrupted) {
                return;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i < 4; i++) {
            Thread thread = new Thread(HealthyService::serve, "worker-" + i);
            thread.setDaemon(true);
            thread.start();
        }
        Thread.sleep(2000);
        Truth.say("ready", "healthy", ",\"served\":" + served.get());
        while (Truth.working()) {
            Thread.sleep(20);
        }
        Truth.say("held", "healthy", ",\"served\":" + served.get());
        Truth.rest();
    }
}
