// SPDX-License-Identifier: Apache-2.0
//
// One class is defined again and again, each time by a new class loader that somebody keeps, as a redeployed
// application does. With "run" its methods are run too, so that under -Xcomp the compiled code grows instead; it is
// ready when there is so much of it that a slow machine is seen to have it too.
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.util.ArrayList;
import java.util.List;

public final class LoadersKept {
    private static final List<Class<?>> kept = new ArrayList<>();
    private static final long READY_CODE_BYTES = 10L << 20;

    /** Many calls: three bytes each as bytecode, some fifty as machine code. */
    public static final class Work implements Runnable {
        private double a = 1;
        private double b = 2;
        private double c = 3;

        private void mix() {
            a = Math.sqrt(a * b + c) + b / (c + 1) - a * a; b = a * c - b / (a + 3) + c * b; c = b * a + c - a / (b + 5);
        }

        private void mixMore() {
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
            mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix(); mix();
        }

        @Override
        public void run() {
            mixMore();
            if (Double.isNaN(a)) {
                a = 1;
            }
        }
    }

    private static final class Loader extends ClassLoader {
        Class<?> define(byte[] code) {
            return defineClass(Work.class.getName(), code, 0, code.length);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            return name.equals(Work.class.getName()) ? findLoadedClass(name) : super.loadClass(name, resolve);
        }
    }

    private static String pools() {
        long metaspace = 0;
        long committed = 0;
        long classSpace = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            long used = pool.getUsage().getUsed();
            if (pool.getName().equals("Metaspace")) {
                metaspace = used;
                committed = pool.getUsage().getCommitted();
            } else if (pool.getName().equals("Compressed Class Space")) {
                classSpace = used;
            }
        }
        // The pool called Metaspace has the class space in it.
        return ",\"metaspace_bytes\":" + (metaspace - classSpace) + ",\"class_space_bytes\":" + classSpace
            + ",\"both_committed_bytes\":" + committed + ",\"code_cache_bytes\":" + codeBytes() + ",\"loaders\":" + kept.size();
    }

    private static long codeBytes() {
        long bytes = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            if (pool.getName().startsWith("Code")) {
                bytes += pool.getUsage().getUsed();
            }
        }
        return bytes;
    }

    private static void keepOneMore(byte[] code, boolean run) throws ReflectiveOperationException {
        Class<?> defined = new Loader().define(code);
        Object work = defined.getDeclaredConstructor().newInstance();
        if (run) {
            ((Runnable) work).run();
        }
        kept.add(defined);
    }

    public static void main(String[] arguments) throws Exception {
        boolean run = arguments.length > 0 && arguments[0].equals("run");
        String cause = run ? "java-code-cache" : "java-metaspace";
        byte[] code;
        try (InputStream file = LoadersKept.class.getResourceAsStream("LoadersKept$Work.class")) {
            code = file.readAllBytes();
        }
        while (run && codeBytes() < READY_CODE_BYTES) {
            for (int i = 0; i < 100; i++) {
                keepOneMore(code, true);
            }
        }
        Truth.say("ready", cause, pools());
        long start = System.nanoTime();
        long before = kept.size();
        while (Truth.working()) {
            keepOneMore(code, run);
            Truth.pace(start, kept.size() - before, run ? 1500 : 3000);
        }
        Truth.say("held", cause, pools());
        Truth.rest();
    }
}
