/**
 * Preloaded into every task by `launch.mjs`: a task whose launcher was killed outright (which no signal announces) ends
 * as if it had been told to, instead of living on in a process group that nobody signals any more.
 */
if (process.channel !== undefined) {
  process.on("disconnect", () => {
    process.kill(process.pid, "SIGTERM")
    setTimeout(() => process.kill(-process.pid, "SIGKILL"), 10_000).unref()
  })
  process.channel.unref()
}
