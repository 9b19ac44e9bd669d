/*
 * Call events to Kafka with kafka-clients: one JSON object a line on standard input.
 *
 * java -cp 'kafka-clients.jar:slf4j-api.jar:jackson-databind.jar:…' Producer.java 127.0.0.1:9092 call-events < events.ndjson
 */

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Producer {
    public static void main(String[] arguments) throws Exception {
        // Java's producer partitions by murmur2 by itself.
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "acks", "all",
            "enable.idempotence", true,
            "compression.type", "lz4",
            "linger.ms", 5,
            "delivery.timeout.ms", 120000);
        AtomicInteger refused = new AtomicInteger();
        ObjectMapper json = new ObjectMapper();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (String line; (line = lines.readLine()) != null; ) {
                if (line.isBlank()) continue;
                String callId = json.readTree(line).get("call_id").asText();
                producer.send(new ProducerRecord<>(arguments[1], callId, line), (sent, error) -> {
                    if (error != null) {
                        refused.incrementAndGet();
                        System.err.println(callId + ": " + error.getMessage());
                    }
                });
            }
        }
        System.exit(refused.get() == 0 ? 0 : 1);
    }
}
