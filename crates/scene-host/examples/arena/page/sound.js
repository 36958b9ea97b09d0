// A few short sounds, made on the spot. Browsers allow them after the first click.

const SOUNDS = {
  //     wave       from  to   seconds  loudness
  shot: ["square", 620, 180, 0.09, 0.035],
  carrot: ["sine", 560, 980, 0.1, 0.09],
  hit: ["sawtooth", 240, 70, 0.16, 0.09],
  out: ["sawtooth", 180, 30, 0.5, 0.12],
  back: ["triangle", 220, 660, 0.25, 0.1],
};

export class Sound {
  isOn = true;
  #context = null;

  /** To be called by a click or a key. */
  wake() {
    this.#context ??= new AudioContext();
    this.#context.resume();
  }

  play(name) {
    if (!this.isOn || this.#context?.state !== "running") return;
    const [wave, from, to, seconds, loudness] = SOUNDS[name];
    const [context, now] = [this.#context, this.#context.currentTime];
    const [tone, volume] = [context.createOscillator(), context.createGain()];
    tone.type = wave;
    tone.frequency.setValueAtTime(from, now);
    tone.frequency.exponentialRampToValueAtTime(to, now + seconds);
    volume.gain.setValueAtTime(loudness, now);
    volume.gain.exponentialRampToValueAtTime(0.0001, now + seconds);
    tone.connect(volume).connect(context.destination);
    tone.start(now);
    tone.stop(now + seconds);
  }
}
