// Preloaded (`NODE_OPTIONS=--import=…`) into a broker or worker that is to be profiled: Node 20 takes
// no --cpu-prof from the environment. Writes a .cpuprofile when the process ends.
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { basename, join } from 'node:path'
import { isMainThread } from 'node:worker_threads'

const folder = process.env.BENCH_PROFILE_FOLDER
if (isMainThread && folder) {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.start')
  process.on('exit', () => {
    session.post('Profiler.stop', (error, result) => {
      if (error) return
      const app = basename(join(process.argv[1] ?? '', '../..'))
      const file = join(folder, `${app}-${String(process.pid)}.cpuprofile`)
      writeFileSync(file, JSON.stringify(result.profile))
    })
  })
}
