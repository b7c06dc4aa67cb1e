// SPDX-License-Identifier: Apache-2.0
//
// The demo's application: a shop whose Java heap is small and steady while its container fills up. Twelve
// workers pack orders; every twentieth order's Deflater is kept and never ended.
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.zip.Deflater;

public final class Shop {
    private static final List<Deflater> forgotten = Collections.synchronizedList(new ArrayList<>());

    private static final class Worker extends Thread {
        private final Random random;
        private final byte[] order = new byte[20_000];
        private final byte[] packed = new byte[30_000];

        Worker(int number) {
            super("shop-worker-" + number);
            random = new Random(number);
        }

        private void pack(boolean forget) {
            Deflater deflater = new Deflater();
            deflater.setInput(order);
            deflater.finish();
            deflater.deflate(packed);
            if (forget) {
                forgotten.add(deflater);
            } else {
                deflater.end();
            }
        }

        @Override
        public void run() {
            for (int i = 0; i < order.length; i++) {
                order[i] = (byte) random.nextInt(32);
            }
            try {
                while (true) {
                    for (int i = 0; i < 10; i++) {
                        pack(random.nextInt(20) == 0);
                    }
                    Thread.sleep(200 + random.nextInt(100));
                }
            } catch (InterruptedException ended) {
                return;
            }
        }
    }

    public static void main(String[] arguments) {
        for (int i = 0; i < 12; i++) {
            new Worker(i).start();
        }
        System.out.println("open for business");
    }
}
