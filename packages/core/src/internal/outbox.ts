/**
 * Runs what a state change has decided (resume a caller, start a dial, close a connection) after the change is whole.
 *
 * A resumed caller runs at once, on the stack of whoever resumed it, and may come straight back with a change of its
 * own. Nested calls therefore only add to the queue, so that neither half-made states nor deep stacks arise; and a
 * turn of the event loop runs at most `BATCH` tasks, so that telling thousands of callers does not block it.
 *
 * @internal
 */
import type * as Scheduler from "effect/Scheduler"

export interface Task {
  run(): void
}

/** Enough to be quick, few enough for other work to come in between: each may be a caller who has work of its own. */
const BATCH = 128

/** Takes the place of what has run. Emptying the list would cost more than the rest: it would be allocated anew. */
const done: Task = { run() {} }

export class Outbox {
  private tasks: Array<Task> = []
  private head = 0
  private end = 0
  private running = false
  private readonly scheduler: Scheduler.Scheduler
  private readonly dispatcher: Scheduler.SchedulerDispatcher

  constructor(scheduler: Scheduler.Scheduler) {
    this.scheduler = scheduler
    this.dispatcher = scheduler.makeDispatcher()
  }

  add(task: Task): void {
    this.tasks[this.end++] = task
  }

  /** Runs what was added, unless a caller further down the stack, or a scheduled turn, is about to. */
  flush(): void {
    if (!this.running && this.head < this.end) this.turn()
  }

  private readonly turn = (): void => {
    this.running = true
    for (let left = BATCH; left > 0 && this.head < this.end; left--) {
      const task = this.tasks[this.head]!
      this.tasks[this.head++] = done
      this.run(task)
    }
    if (this.head < this.end) {
      this.dispatcher.scheduleTask(this.turn, 0)
    } else {
      if (this.end > BATCH) this.tasks = []
      this.head = this.end = 0
      this.running = false
    }
  }

  /**
   * An observer of a resumed fiber may throw. That belongs to neither the tasks behind it nor to whoever happens to
   * flush: it is thrown on a stack of its own, as it would be had a timer resumed the fiber.
   */
  private run(task: Task): void {
    try {
      task.run()
    } catch (error) {
      this.scheduler.makeDispatcher().scheduleTask(() => {
        throw error
      }, 0)
    }
  }
}
