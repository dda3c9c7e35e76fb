package keywatch.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;

/**
 * Requests, errors and bytes per key and minute by Kafka Streams, as absolute values under deterministic ids in bulks to
 * Elasticsearch: what `keywatch run` makes with counters only, as somebody who knows Kafka Streams would write it. Every choice
 * is the faster one: windows in memory, values cached between commits, records keyed by API key in the topic already (no
 * repartitioning), at-least-once.
 *
 * Arguments: brokers, topic, application id, address of Elasticsearch, index, in-memory or rocksdb.
 */
public final class StreamsJob {
  private static final Duration WINDOW = Duration.ofMinutes(1);
  /** A backlog is read partition by partition: event time may jump. */
  private static final Duration GRACE = Duration.ofDays(2);
  private static final int BULK_DOCUMENTS = 5000;
  private static final ObjectReader READER = new ObjectMapper().readerFor(Access.class);

  @JsonIgnoreProperties(ignoreUnknown = true)
  public static final class Access {
    public long ts;
    public String key;
    public int status;
    public long bytes;
  }

  /** Of one key in one minute. */
  public static final class Sums {
    long requests;
    long errors;
    long bytes;

    Sums with(Access access) {
      var sums = new Sums();
      sums.requests = requests + 1;
      sums.errors = errors + (isError(access.status) ? 1 : 0);
      sums.bytes = bytes + access.bytes;
      return sums;
    }

    /** What was refused or given up is no error. */
    private static boolean isError(int status) {
      return status >= 400 && status != 401 && status != 403 && status != 429 && status != 499;
    }
  }

  private static final Serde<Access> ACCESS = Serdes.serdeFrom(
      (Serializer<Access>) (topic, access) -> {
        throw new UnsupportedOperationException("nothing is written as JSON");
      },
      (Deserializer<Access>) (topic, bytes) -> {
        try {
          return READER.readValue(bytes);
        } catch (IOException error) {
          throw new IllegalArgumentException(error);
        }
      });
  private static final Serde<Sums> SUMS = Serdes.serdeFrom(
      (Serializer<Sums>) (topic, sums) -> sums == null ? null : ByteBuffer.allocate(24).putLong(sums.requests).putLong(sums.errors).putLong(sums.bytes).array(),
      (Deserializer<Sums>) (topic, bytes) -> {
        if (bytes == null) return null;
        var in = ByteBuffer.wrap(bytes);
        var sums = new Sums();
        sums.requests = in.getLong();
        sums.errors = in.getLong();
        sums.bytes = in.getLong();
        return sums;
      });

  /** The time of the event, not of the record. */
  public static final class EventTime implements TimestampExtractor {
    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
      return ((Access) record.value()).ts;
    }
  }

  /** Sends the newest value of every window that changed. */
  private static final class ToElasticsearch implements Processor<Windowed<String>, Sums, Void, Void> {
    private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final URI address;
    private final Map<String, String> waiting = new LinkedHashMap<>();

    ToElasticsearch(String node, String index) {
      address = URI.create(node + "/" + index + "/_bulk?filter_path=errors");
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, now -> send());
    }

    @Override
    public void process(Record<Windowed<String>, Sums> record) {
      String key = record.key().key();
      long start = record.key().window().start();
      Sums sums = record.value();
      waiting.put(start + "." + key, "{\"ts\":" + start + ",\"key\":\"" + key + "\",\"requests\":" + sums.requests + ",\"errors\":" + sums.errors + ",\"bytes\":" + sums.bytes + "}");
      if (waiting.size() >= BULK_DOCUMENTS) send();
    }

    private void send() {
      if (waiting.isEmpty()) return;
      var body = new StringBuilder(waiting.size() * 160);
      waiting.forEach((id, document) -> body.append("{\"index\":{\"_id\":\"").append(id).append("\"}}\n").append(document).append('\n'));
      waiting.clear();
      try {
        var request = HttpRequest.newBuilder(address).header("content-type", "application/x-ndjson")
            .POST(HttpRequest.BodyPublishers.ofByteArray(body.toString().getBytes(StandardCharsets.UTF_8))).build();
        var answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200 || answer.body().contains("true")) throw new IllegalStateException("bulk refused: " + answer.body());
      } catch (IOException error) {
        throw new IllegalStateException(error);
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void close() {
      send();
    }
  }

  public static void main(String[] args) throws Exception {
    var settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("application.id", args[2]);
    settings.put("auto.offset.reset", "earliest");
    settings.put("commit.interval.ms", 5000);
    settings.put("statestore.cache.max.bytes", 256L << 20);
    settings.put("num.stream.threads", 1);
    settings.put("replication.factor", 1);
    settings.put("state.dir", System.getProperty("java.io.tmpdir") + "/keywatch-bench-" + args[2]);
    settings.put("default.timestamp.extractor", EventTime.class.getName());
    settings.put("consumer.fetch.min.bytes", 1 << 16);
    settings.put("consumer.max.poll.records", 10_000);

    var builder = new StreamsBuilder();
    KStream<String, Access> accesses = builder.stream(args[1], Consumed.with(Serdes.String(), ACCESS));
    Duration retention = WINDOW.plus(GRACE);
    WindowBytesStoreSupplier store = args[5].equals("rocksdb")
        ? Stores.persistentWindowStore("sums", retention, WINDOW, false)
        : Stores.inMemoryWindowStore("sums", retention, WINDOW, false);
    accesses
        .groupByKey(Grouped.with(Serdes.String(), ACCESS))
        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
        .aggregate(Sums::new, (key, access, sums) -> sums.with(access), Materialized.<String, Sums>as(store).withKeySerde(Serdes.String()).withValueSerde(SUMS).withCachingEnabled())
        .toStream()
        .process(() -> new ToElasticsearch(args[3], args[4]));

    var streams = new KafkaStreams(builder.build(), settings);
    var end = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(Duration.ofSeconds(20));
      streams.cleanUp();
      end.countDown();
    }));
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
    });
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
    });
    streams.start();
    end.await();
  }
}
