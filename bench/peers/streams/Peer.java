// Kafka Streams: the events of each program counted in its default store (RocksDB, with a changelog), JSON by Jackson.
// Run as a source file by the JDK; the arguments and what it prints are those of bench/peers/meter.py.

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;

public class Peer {
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Event(String id, String type, String program, String at) {}

    static final ObjectMapper JSON = new ObjectMapper();
    static long events, began, told, total, limit; // one stream thread: no lock

    public static void main(String[] args) {
        total = Long.parseLong(args[2]);
        limit = (long) (Double.parseDouble(args[3]) * 1e9);
        List<String> topics = Arrays.asList(args).subList(5, args.length);
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(topics, Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .mapValues(Peer::typeOf)
            .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as("events-by-program"));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
    }

    static String typeOf(byte[] value) {
        try {
            String type = JSON.readValue(value, Event.class).type();
            count();
            return type;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static void count() {
        long now = System.nanoTime();
        if (began == 0) began = told = now;
        events++;
        boolean over = events >= total || now - began >= limit;
        if (over || now - told >= 1_000_000_000L) {
            told = now;
            System.out.println(
                String.format(Locale.ROOT, "{\"events\": %d, \"seconds\": %.6f}", events, (now - began) / 1e9));
        }
        if (over) Runtime.getRuntime().halt(0);
    }
}
