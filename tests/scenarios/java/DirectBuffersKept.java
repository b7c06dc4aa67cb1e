// SPDX-License-Identifier: Apache-2.0
//
// Direct buffers of 300 kB are made and kept, 20 MB a second: the Java heap shows next to nothing of them.
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

public final class DirectBuffersKept {
    private static final int BUFFER_BYTES = 300_000;
    private static final int BYTES_PER_SECOND = 20_000_000;
    private static final List<ByteBuffer> kept = new ArrayList<>();

    private static String direct() {
        for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
            if (pool.getName().equals("direct")) {
                return ",\"direct_bytes\":" + pool.getMemoryUsed() + ",\"direct_count\":" + pool.getCount();
            }
        }
        throw new IllegalStateException("no pool of direct buffers");
    }

    public static void main(String[] arguments) throws Exception {
        direct(); // loads what it needs before anything is measured
        Truth.say("ready", "direct-buffers", direct());
        long start = System.nanoTime();
        while (Truth.working()) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
            for (int i = 0; i < BUFFER_BYTES; i += 4096) {
                buffer.put(i, (byte) 1);
            }
            kept.add(buffer);
            Truth.pace(start, (long) kept.size() * BUFFER_BYTES, BYTES_PER_SECOND);
        }
        Truth.say("held", "direct-buffers", direct());
        Truth.rest();
    }
}
