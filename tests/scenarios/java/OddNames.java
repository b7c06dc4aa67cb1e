// SPDX-License-Identifier: Apache-2.0
//
// Names that drive a terminal, as far as a JVM takes them: of a thread, and of a class that keeps direct
// buffers. No compiler makes such a class, so its name is patched into the bytes of one that was compiled.
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

public final class OddNames {
    /** ESC c and the C1 control CSI, which take four bytes in a class file, as XXXX does. */
    private static final String PLAIN = "KeeperXXXX";
    private static final String ODD = "Keeper\u001bc\u009b";

    public static final class KeeperXXXX implements Runnable {
        private static final List<ByteBuffer> kept = new ArrayList<>();

        @Override
        public void run() {
            for (int i = 0; i < 40; i++) {
                kept.add(ByteBuffer.allocateDirect(1_000_000));
            }
        }
    }

    private static final class Patched extends ClassLoader {
        Class<?> define() throws Exception {
            try (InputStream in = OddNames.class.getResourceAsStream("OddNames$" + PLAIN + ".class")) {
                String text = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
                String odd = new String(ODD.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
                byte[] bytes = text.replace(PLAIN, odd).getBytes(StandardCharsets.ISO_8859_1);
                return defineClass("OddNames$" + ODD, bytes, 0, bytes.length);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        Runnable keeper = (Runnable) new Patched().define().getConstructor().newInstance();
        Thread thread = new Thread(() -> {
            keeper.run();
            try {
                Thread.sleep(Long.MAX_VALUE);
            } catch (InterruptedException ignored) {
                // ends with the program
            }
        }, "odd\u001b[31m\u009b\u007f\u202e");
        thread.setDaemon(true);
        thread.start();
        Thread.sleep(500);
        Truth.say("ready", "direct-buffers", "");
        Truth.rest();
    }
}
