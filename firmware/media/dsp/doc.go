// Package dsp holds the signal processing of telephone sound. All audio is linear 16-bit at 8,000 Hz.
//
//   - Elastic couples two clocks; Meter and Level measure.
//   - Generator makes tones, of which DTMF and Modem hear digits and machines.
//   - Progress hears what an exchange says by tones, from a Network's table (tracker, bank) and from what
//     a Learner has Learned of the line.
//   - CallerFSK and CallerDTMF hear who calls; ParseCallerID reads it.
//   - Echo takes out the echo of an analog line: its delay (echoDelay), its path (lesson), and what is left
//     (cleaner).
//   - Gain brings speech to one level.
//
// Nothing here starts a goroutine, reads a clock or allocates per frame; a value is used by one
// goroutine at a time.
package dsp

// SampleRate is the rate of all audio here, in Hz.
const SampleRate = 8000
