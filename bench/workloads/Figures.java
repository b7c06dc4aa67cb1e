// SPDX-License-Identifier: Apache-2.0
//
// The figures that every Java workload prints of itself, in the form of figures.h. CPU time, that of the compiler's
// and the collector's threads included: wall time says as much of the machine's other work.
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

final class Figures {
    private Figures() {}

    static long processCpuNs() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    /** Prints the most that was resident, and nanoseconds of CPU time an iteration since beginCpuNs. */
    static void print(long beginCpuNs, long iterations) throws Exception {
        long elapsedNs = processCpuNs() - beginCpuNs;
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                System.out.println("peak_kib " + line.replaceAll("[^0-9]", ""));
            }
        }
        System.out.printf("%.1f%n", (double) elapsedNs / iterations);
    }
}
