// Package fxo drives analog telephone lines through voice modems with V.253 commands (ITU-T V.253, TIA IS-101):
// Conexant, Silicon Labs, USR and Rockwell chips, whose differences are data (dialects). Commands and sound share one
// serial port; sound is shielded by DLE. What an analog line says of a call, it says by tones, by a reversed battery or
// by a cut loop, so the package listens to every call: it waits for the dial tone, dials in the sound, hears the far end
// ring, and hangs up when the exchange's tones say that the far end has gone.
package fxo
