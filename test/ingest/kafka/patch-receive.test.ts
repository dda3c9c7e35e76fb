import fc from 'fast-check';
import { createRequire } from 'node:module';
import net from 'node:net';
import { expect, test } from 'vitest';
import { patchReceive, socketFactory } from '../../../ingest/kafka/patch-receive.ts';

type Answer = { readonly size: number; readonly correlationId: number; readonly payload: Buffer };
type Process = (this: object, piece: Buffer) => void;

/** The receiving method that our patch makes of kafkajs' own, which this process has not patched. */
function patched(): Process {
  const path = 'kafkajs/src/network/connection';
  const { prototype } = createRequire(import.meta.url)(path) as { readonly prototype: { processData: Process } };
  const holder = { prototype: { processData: prototype.processData } };
  patchReceive((() => holder) as unknown as NodeJS.Require);
  return holder.prototype.processData;
}

class Stand {
  authHandlers: { onSuccess(bytes: Buffer): void } | null = null;
  authExpectResponse = false;
  bytesBuffered = 0;
  bytesNeeded = 4;
  chunks: Buffer[] = [];
  readonly answers: { readonly correlationId: number; readonly size: number; readonly payload: string }[] = [];
  readonly kept: Buffer[] = [];
  readonly requestQueue = {
    fulfillRequest: ({ size, correlationId, payload }: Answer): void => {
      this.kept.push(payload);
      this.answers.push({ size, correlationId, payload: payload.toString('hex') });
    },
  };
}

function answerOf(correlationId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8 + payload.length);
  bytes.writeInt32BE(4 + payload.length, 0);
  bytes.writeInt32BE(correlationId, 4);
  bytes.set(payload, 8);
  return bytes;
}

/** Pieces as sockets deliver them: each in the same buffer, written over by the next. */
function deliver(stand: Stand, method: Process, bytes: Buffer, cuts: readonly number[]): void {
  const shared = Buffer.alloc(bytes.length);
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...at, bytes.length]) {
    shared.fill(0xee);
    shared.set(bytes.subarray(from, to));
    if (to > from) method.call(stand, shared.subarray(0, to - from));
    from = to;
  }
  shared.fill(0xee);
}

test('every answer arrives whole and stays as it came, however the connection cuts it up and however often the buffer is used again', () => {
  const method = patched();
  const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(payloads, fc.array(fc.nat(400), { maxLength: 30 }), (given, cuts) => {
      const stand = new Stand();
      deliver(stand, method, Buffer.concat(given.map((payload, index) => answerOf(index, payload))), cuts);
      const expected = given.map((payload, index) => ({ size: 4 + payload.length, correlationId: index, payload: Buffer.from(payload).toString('hex') }));
      expect(stand.answers).toEqual(expected);
      expect(stand.kept.map((bytes) => bytes.toString('hex'))).toEqual(expected.map(({ payload }) => payload));
    }),
    { numRuns: 1000 },
  );
});

test('a login in the middle of other answers is read by kafkajs itself, and loses none of them', () => {
  const method = patched();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), fc.array(fc.nat(100), { maxLength: 10 }), (before, login, cuts) => {
      const stand = new Stand();
      deliver(stand, method, answerOf(1, before), cuts);
      const logins: string[] = [];
      stand.authExpectResponse = true;
      stand.authHandlers = {
        onSuccess: (bytes) => {
          logins.push(bytes.toString('hex'));
          stand.authHandlers = null;
          stand.authExpectResponse = false;
        },
      };
      const sasl = Buffer.alloc(4 + login.length);
      sasl.writeInt32BE(login.length);
      sasl.set(login, 4);
      deliver(stand, method, sasl, cuts);
      deliver(stand, method, answerOf(2, before), cuts);
      expect(logins).toEqual([sasl.toString('hex')]);
      expect(stand.answers.map(({ correlationId }) => correlationId)).toEqual([1, 2]);
    }),
    { numRuns: 300 },
  );
});

test('a socket tells of everything that comes, although all sockets read into one buffer', async () => {
  await using stack = new AsyncDisposableStack();
  const server = net.createServer((socket) => {
    socket.on('data', (bytes) => socket.write(Buffer.from(bytes).reverse()));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const echoes = ['one', 'two', 'three'].map(
    (text) =>
      new Promise<string>((resolve, reject) => {
        const socket = socketFactory({ host: '127.0.0.1', port: address.port, onConnect: () => void socket.write(text) } as Parameters<
          typeof socketFactory
        >[0]);
        socket.on('error', reject);
        socket.on('data', (bytes: Buffer) => {
          resolve(bytes.toString());
          socket.destroy();
        });
      }),
  );
  expect(await Promise.all(echoes)).toEqual(['eno', 'owt', 'eerht']);
});
