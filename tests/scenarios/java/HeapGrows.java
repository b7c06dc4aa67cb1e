// SPDX-License-Identifier: Apache-2.0
//
// Ordinary Java objects are kept, 25 MB a second up to 220 MB: the collector's heap grows, and nothing outside of it.
import java.util.ArrayList;
import java.util.List;

public final class HeapGrows {
    private static final int OBJECT_BYTES = 100_000;
    private static final int OBJECTS = 2200;
    private static final List<byte[]> kept = new ArrayList<>();

    private static String used() {
        Runtime runtime = Runtime.getRuntime();
        return ",\"heap_used_bytes\":" + (runtime.totalMemory() - runtime.freeMemory())
            + ",\"heap_committed_bytes\":" + runtime.totalMemory();
    }

    public static void main(String[] arguments) throws Exception {
        Truth.say("ready", "java-heap", used());
        long start = System.nanoTime();
        while (Truth.working()) {
            if (kept.size() < OBJECTS) {
                kept.add(new byte[OBJECT_BYTES]);
            }
            Truth.pace(start, (long) kept.size() * OBJECT_BYTES, 25e6);
        }
        Truth.say("held", "java-heap", used());
        Truth.rest();
    }
}
