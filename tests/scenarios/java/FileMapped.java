// SPDX-License-Identifier: Apache-2.0
//
// A file of 200 MB is mapped and read from end to end, as a database or a search index does.
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

public final class FileMapped {
    private static final int FILE_BYTES = 200 << 20;

    public static void main(String[] arguments) throws Exception {
        Path path = Files.createTempFile("mapped", ".data");
        path.toFile().deleteOnExit();
        byte[] block = new byte[1 << 20];
        long sum = 0;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            for (int at = 0; at < FILE_BYTES; at += block.length) {
                channel.write(java.nio.ByteBuffer.wrap(block));
            }
            channel.force(true);
            MappedByteBuffer mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, FILE_BYTES);
            for (int at = 0; at < FILE_BYTES; at += 4096) {
                sum += mapped.get(at);
            }
            Truth.say("ready", "mapped-files", ",\"mapped_bytes\":" + FILE_BYTES + ",\"sum\":" + sum);
            Truth.rest();
        }
    }
}
