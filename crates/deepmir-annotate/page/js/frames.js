// When panes draw: the one that is worked in first, the others after it is on the screen. Without this a
// stroke would wait for four drawings instead of one where the graphics card is made of software.

/** After the next frame, or soon in a window that is hidden and has no frames. */
export const nextFrame = () => new Promise((resolve) => {
  const late = setTimeout(resolve, 200);
  requestAnimationFrame(() => setTimeout(() => { clearTimeout(late); resolve(); }));
});

export class Frames {
  /** `first` says which pane comes first, `work` draws one, `idle` tells whether the card is done with the last. */
  constructor(panes, first, work, idle) {
    Object.assign(this, { panes, first, work, idle });
    this.waiting = new Set();
    this.asked = false;
    this.resting = false;
  }

  /** Draws all panes soon, however often it is asked for. */
  ask() {
    this.panes.forEach((pane) => this.waiting.add(pane));
    if (this.asked) return;
    this.asked = true;
    const frame = () => {
      // Drawings that queue up before the card would come later and later.
      if (!this.idle()) { requestAnimationFrame(frame); return; }
      this.asked = false;
      this.draw(this.panes[this.first()]);
      this.rest();
    };
    requestAnimationFrame(frame);
  }

  draw(pane) {
    if (this.waiting.delete(pane)) this.work(pane);
  }

  /** One pane a task, so that what the rater does comes in between; who waits longest is next. */
  rest() {
    if (this.resting || !this.waiting.size) return;
    this.resting = true;
    setTimeout(() => {
      this.resting = false;
      const [next] = this.waiting;
      if (next && this.idle()) this.draw(next);
      this.rest();
    }, this.idle() ? 0 : 4);
  }
}
