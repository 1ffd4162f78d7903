// Hands on what the microphone hears, in the browser's audio thread.
"use strict";
registerProcessor("microphone", class extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage(channel.slice());
    return true;
  }
});
