#!/usr/bin/env node
import { runCli } from './cli.ts'
import { listenTo } from './keyboard.ts'

const { stdin } = process

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdin,
  ...(stdin.isTTY && { listen: (heard: (key: string) => void) => listenTo(stdin, heard) }),
  stdout: process.stdout,
  stderr: process.stderr,
  fetch,
})
