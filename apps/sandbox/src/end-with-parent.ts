/**
 * Preloaded into the broker and the worker of the sandbox (`node --import`): when the sandbox is
 * killed without a chance to stop them, the broken channel does.
 */
process.on('disconnect', () => {
  process.kill(process.pid, 'SIGTERM')
})
process.channel?.unref()
