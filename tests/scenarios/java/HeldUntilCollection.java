// SPDX-License-Identifier: Apache-2.0
//
// Direct buffers are dropped at once, but their memory is held until a collection runs their Cleaners:
// it rises to -XX:MaxDirectMemorySize, falls, rises again. A plateau, not a leak.
import java.nio.ByteBuffer;

public final class HeldUntilCollection {
    private static final int BUFFER_BYTES = 200_000;
    private static final int BYTES_PER_SECOND = 60_000_000;

    public static void main(String[] arguments) throws Exception {
        long start = System.nanoTime();
        long made = 0;
        boolean said = false;
        while (!said || Truth.working()) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
            buffer.put(BUFFER_BYTES - 1, (byte) 1);
            made += BUFFER_BYTES;
            if (!said && System.nanoTime() - start > 4_000_000_000L) {
                Truth.say("ready", "healthy", "");
                said = true;
            }
            Truth.pace(start, made, BYTES_PER_SECOND);
        }
        Truth.say("held", "healthy", "");
        Truth.rest();
    }
}
