import { connect } from 'node:net';

/** Sends one finished record batch as it is, which no client of Kafka does: the way to batches that no client makes. Rejects with the broker's error code. */
export async function produceRaw(broker: string, topic: string, batch: Buffer, partition = 0): Promise<void> {
  const [host, port] = broker.split(':');
  const socket = connect(Number(port), host);
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.write(request(topic, partition, batch));
    let answer = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) break;
    }
    // size, correlation id, one topic, its name, one partition, its number: then the error code.
    const code = answer.readInt16BE(4 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4);
    if (code !== 0) throw new Error(`the broker answered ${code} to a raw produce`);
  } finally {
    socket.destroy();
  }
}

/** Produce, version 7. */
function request(topic: string, partition: number, batch: Buffer): Buffer {
  const body = Buffer.concat([
    int16(0),
    int16(7),
    int32(1),
    string('raw'),
    int16(-1),
    int16(-1),
    int32(30_000),
    int32(1),
    string(topic),
    int32(1),
    int32(partition),
    int32(batch.length),
    batch,
  ]);
  return Buffer.concat([int32(body.length), body]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function string(text: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
}
