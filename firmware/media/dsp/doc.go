// Package dsp holds the signal processing of telephone sound: clock-drift resampling, tones and
// digits in both directions, and level measurement. All audio is linear 16-bit at 8,000 Hz.
//
// Nothing here starts a goroutine, reads a clock or allocates per frame; a value is used by one
// goroutine at a time.
package dsp

// SampleRate is the rate of all audio here, in Hz.
const SampleRate = 8000
