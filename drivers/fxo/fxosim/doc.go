// Package fxosim is a voice modem on an analog telephone line, with the central office behind it: what the driver and
// others are judged by. It shares no code with the driver; its tones, its keys and its DLE shielding are its own.
package fxosim
