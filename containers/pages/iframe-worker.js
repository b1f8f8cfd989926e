/* No browser starts a worker for a page that was opened from a folder, and the theme's search is one. There it runs in a
   hidden frame instead, which has what it needs of a worker: messages both ways. The theme asks for the name. */
if (location.protocol === "file:") {
  class IFrameWorker extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.scope = frame.contentWindow
      const inside = this.scope.document
      inside.open()
      inside.write("<!doctype html><body></body>")
      inside.close()
      this.scope.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      const script = inside.createElement("script")
      script.src = new URL(url, location.href)
      script.addEventListener("load", () => {
        const waiting = this.waiting
        this.waiting = null
        waiting.forEach(data => this.postMessage(data))
      })
      script.addEventListener("error", () => this.dispatchEvent(new ErrorEvent("error", { message: `${url}: not loaded` })))
      inside.body.append(script)
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data)
      else this.scope.dispatchEvent(new this.scope.MessageEvent("message", { data }))
    }

    terminate() {
      this.scope.frameElement.remove()
    }
  }
  window.IFrameWorker = window.Worker = IFrameWorker
}
