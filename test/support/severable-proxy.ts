import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'

/** A TCP relay on loopback that can be cut, to see what a client does when its server is gone. */
export interface SeverableProxy {
  readonly port: number
  /** Cuts every connection and refuses new ones. */
  sever(): Promise<void>
  /** Accepts again, on the same port. */
  restore(): Promise<void>
  stop(): Promise<void>
}

export async function startSeverableProxy(target: NetConnectOpts): Promise<SeverableProxy> {
  const sockets = new Set<Socket>()
  let server = await listen(0)

  async function listen(port: number): Promise<Server> {
    const relay = createServer((inbound) => {
      const outbound = connect(target)
      for (const [socket, other] of [
        [inbound, outbound],
        [outbound, inbound],
      ] as const) {
        sockets.add(socket)
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
    }).listen(port, '127.0.0.1')
    await once(relay, 'listening')
    return relay
  }

  async function sever(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no loopback port')
  const { port } = address
  return {
    port,
    sever,
    async restore() {
      server = await listen(port)
    },
    stop: sever,
  }
}
