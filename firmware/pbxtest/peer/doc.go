// Package peer is the other side of the box: a SIP telephone that is also a carrier, over UDP or TLS, with
// a tone of its own as voice and a memory of what it hears. It judges the product, so it shares only
// the message parser with it: transactions, dialogs, digest and RTP are its own and simple.
package peer
