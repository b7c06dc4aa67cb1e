// SPDX-License-Identifier: Apache-2.0
//
// Sixteen threads each take 16 MB of native blocks, free them and end; a small block that somebody still
// uses was allocated last and stands at the end of each arena. The threads are gone, the arenas stay.
import java.lang.reflect.Field;
import java.util.concurrent.CyclicBarrier;
import sun.misc.Unsafe;

public final class ArenasLeftBehind {
    private static final int THREADS = 16;
    private static final int BLOCKS = 8000;
    private static final int BLOCK_BYTES = 2000;
    private static final CyclicBarrier allocated = new CyclicBarrier(THREADS);
    private static Unsafe unsafe;

    private static void serve() {
        try {
            long[] blocks = new long[BLOCKS];
            for (int i = 0; i < BLOCKS; i++) {
                blocks[i] = unsafe.allocateMemory(BLOCK_BYTES);
                unsafe.setMemory(blocks[i], BLOCK_BYTES, (byte) 1);
            }
            unsafe.setMemory(unsafe.allocateMemory(3000), 3000, (byte) 2);
            allocated.await();
            for (long block : blocks) {
                unsafe.freeMemory(block);
            }
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Field field = Unsafe.class.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        unsafe = (Unsafe) field.get(null);
        Thread[] threads = new Thread[THREADS];
        for (int i = 0; i < THREADS; i++) {
            threads[i] = new Thread(ArenasLeftBehind::serve);
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        Truth.say("ready", "retention", ",\"freed_bytes\":" + (long) THREADS * BLOCKS * BLOCK_BYTES);
        Truth.rest();
    }
}
