package keywatch.bench;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Fills a topic from standard input, every line exactly once. A line is a key, a tab and the value.
 * With one line per message the key is the record's key; with more, messages have no key and go to the partitions in turn,
 * as a shipper that packs what comes sends them.
 *
 * Arguments: brokers, topic, partitions, lines per message, compression, bytes per batch, linger in ms.
 */
public final class LoadTopic {
  private static final int LINE_MAX = 1 << 16;

  private final KafkaProducer<byte[], byte[]> producer;
  private final String topic;
  private final int partitions;
  private final int perMessage;
  private final AtomicReference<Exception> failure = new AtomicReference<>();
  private final ByteArrayOutputStream pack = new ByteArrayOutputStream();
  private int packed;
  private int turn;
  private long messages;

  private LoadTopic(KafkaProducer<byte[], byte[]> producer, String topic, int partitions, int perMessage) {
    this.producer = producer;
    this.topic = topic;
    this.partitions = partitions;
    this.perMessage = perMessage;
  }

  public static void main(String[] args) throws Exception {
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", args[0],
        "compression.type", args[4],
        "batch.size", Integer.parseInt(args[5]),
        "linger.ms", Integer.parseInt(args[6]),
        "buffer.memory", 64L << 20,
        // Idempotent: a retry never doubles a record, or the bench would count wrong.
        "acks", "all",
        "enable.idempotence", true);
    try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      var load = new LoadTopic(producer, args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
      load.read(new BufferedInputStream(System.in, 1 << 20));
      load.flushPack();
      producer.flush();
      if (load.failure.get() != null) throw load.failure.get();
      System.out.println(load.messages);
    }
  }

  private void read(InputStream in) throws Exception {
    byte[] buffer = new byte[1 << 20];
    int length = 0;
    for (;;) {
      int got = in.read(buffer, length, buffer.length - length);
      if (got < 0) break;
      length += got;
      int from = 0;
      for (int at = from; at < length; at++) {
        if (buffer[at] != '\n') continue;
        line(buffer, from, at);
        from = at + 1;
      }
      length -= from;
      System.arraycopy(buffer, from, buffer, 0, length);
      if (length > buffer.length - LINE_MAX) throw new IOException("a line is too long");
    }
    if (length > 0) throw new IOException("the last line has no end");
  }

  private void line(byte[] bytes, int from, int to) throws Exception {
    int tab = from;
    while (bytes[tab] != '\t') tab++;
    if (perMessage == 1) {
      send(new ProducerRecord<>(topic, Arrays.copyOfRange(bytes, from, tab), Arrays.copyOfRange(bytes, tab + 1, to)));
      return;
    }
    if (packed > 0) pack.write('\n');
    pack.write(bytes, tab + 1, to - tab - 1);
    if (++packed == perMessage) flushPack();
  }

  private void flushPack() throws Exception {
    if (packed == 0) return;
    send(new ProducerRecord<>(topic, turn, null, pack.toByteArray()));
    turn = (turn + 1) % partitions;
    pack.reset();
    packed = 0;
  }

  private void send(ProducerRecord<byte[], byte[]> record) throws Exception {
    if (failure.get() != null) throw failure.get();
    messages++;
    producer.send(record, (metadata, error) -> {
      if (error != null) failure.compareAndSet(null, error);
    });
  }
}
