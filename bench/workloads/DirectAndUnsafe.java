// SPDX-License-Identifier: Apache-2.0
//
// A JVM that takes native memory itself: every iteration makes a direct buffer of 4 KiB and 1,024 bytes from Unsafe,
// and frees both; one iteration in a hundred keeps them. Little but malloc runs between, so what a tool adds shows.
//
//   java DirectAndUnsafe ITERATIONS
//
// Prints how many bytes it kept, its peak, and nanoseconds of CPU time an iteration.
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import sun.misc.Unsafe;

public final class DirectAndUnsafe {
    private static final int KEEP_ONE_IN = 100;
    private static final int BUFFER_BYTES = 4096;
    private static final int UNSAFE_BYTES = 1024;

    public static void main(String[] arguments) throws Exception {
        Field field = Unsafe.class.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        Unsafe unsafe = (Unsafe) field.get(null);
        int iterations = Integer.parseInt(arguments[0]);
        List<ByteBuffer> kept = new ArrayList<>();
        long beginCpuNs = Figures.processCpuNs();
        for (int i = 1; i <= iterations; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
            buffer.put(0, (byte) i);
            long address = unsafe.allocateMemory(UNSAFE_BYTES);
            unsafe.putByte(address, (byte) i);
            if (i % KEEP_ONE_IN == 0) {
                kept.add(buffer);
            } else {
                unsafe.invokeCleaner(buffer);
                unsafe.freeMemory(address);
            }
        }
        System.out.println("kept_direct_bytes " + (long) kept.size() * BUFFER_BYTES);
        System.out.println("kept_unsafe_bytes " + (long) kept.size() * UNSAFE_BYTES);
        Figures.print(beginCpuNs, iterations);
    }
}
