// Package quality says how well the parties of a call hear each other, and if they do not, why: it
// follows one stream of packets (Stream), rates what a listener hears of it by the E-model of ITU-T G.107
// (Path), and names what is wrong and where (Leg.Diagnose). It is pure and allocates nothing.
package quality
