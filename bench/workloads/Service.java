// SPDX-License-Identifier: Apache-2.0
//
// An HTTP service on the JVM's own server, for a load tool to ask: every request packs a page of 4,000 bytes with a
// Deflater of its own, so that each one takes and gives back some 270 KB of malloc's memory.
//
//   java Service PORT [THREADS]          GET / answers the packed page; 0 takes a free port
//
// Prints "listening on port N" when it does.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.zip.Deflater;

public final class Service {
    private static final byte[] page = new byte[4000];

    private static void answer(HttpExchange exchange) throws IOException {
        Deflater deflater = new Deflater();
        byte[] packed = new byte[page.length + 100];
        deflater.setInput(page);
        deflater.finish();
        int length = deflater.deflate(packed);
        deflater.end();
        exchange.getResponseHeaders().set("Content-Encoding", "deflate");
        exchange.sendResponseHeaders(200, length);
        exchange.getResponseBody().write(packed, 0, length);
        exchange.close();
    }

    public static void main(String[] arguments) throws Exception {
        // Headers and body are two writes: without this the second waits 40 ms for the first one's acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        int port = Integer.parseInt(arguments[0]);
        int threads = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 4;
        Random random = new Random(1);
        for (int i = 0; i < page.length; i++) {
            page[i] = (byte) ('a' + random.nextInt(16));
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 64);
        server.setExecutor(Executors.newFixedThreadPool(threads));
        server.createContext("/", Service::answer);
        server.start();
        System.out.println("listening on port " + server.getAddress().getPort());
    }
}
