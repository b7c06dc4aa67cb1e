// SPDX-License-Identifier: Apache-2.0
//
// Forty Deflaters a second are used once and kept, never ended; ten times as many are ended. The leak is
// in libz, called by libzip, and the Java heap shows next to nothing.
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Deflater;

public final class DeflatersNeverEnded {
    private static final List<Deflater> kept = new ArrayList<>();

    private static Deflater compress(byte[] text, byte[] output) {
        Deflater deflater = new Deflater();
        deflater.setInput(text);
        deflater.finish();
        deflater.deflate(output);
        return deflater;
    }

    public static void main(String[] arguments) throws Exception {
        byte[] text = new byte[4000];
        byte[] output = new byte[8000];
        for (int i = 0; i < text.length; i++) {
            text[i] = (byte) (i * 31 % 97);
        }
        Truth.say("ready", "leak", ",\"deflaters\":0");
        long start = System.nanoTime();
        while (Truth.working()) {
            kept.add(compress(text, output));
            for (int i = 0; i < 10; i++) {
                compress(text, output).end();
            }
            Truth.pace(start, kept.size(), 40);
        }
        Truth.say("held", "leak", ",\"deflaters\":" + kept.size());
        Truth.rest();
    }
}
