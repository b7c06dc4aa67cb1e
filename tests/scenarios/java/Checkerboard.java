// SPDX-License-Identifier: Apache-2.0
//
// Native blocks of 1000 bytes, 80 MB in all, of which every other one is freed: free memory on pages that
// none of it can leave.
import java.lang.reflect.Field;
import sun.misc.Unsafe;

public final class Checkerboard {
    private static final int BLOCKS = 80_000;
    private static final int BLOCK_BYTES = 1000;

    public static void main(String[] arguments) throws Exception {
        Field field = Unsafe.class.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        Unsafe unsafe = (Unsafe) field.get(null);
        long[] blocks = new long[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = unsafe.allocateMemory(BLOCK_BYTES);
            unsafe.setMemory(blocks[i], BLOCK_BYTES, (byte) 1);
        }
        for (int i = 0; i < BLOCKS; i += 2) {
            unsafe.freeMemory(blocks[i]);
        }
        Truth.say("ready", "fragmentation", ",\"freed_bytes\":" + (long) BLOCKS / 2 * BLOCK_BYTES);
        Truth.rest();
    }
}
