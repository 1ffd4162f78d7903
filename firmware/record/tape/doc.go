// Package tape is the file of one recording: what each party of a conversation said, as it came from the
// network, in sealed blocks of about a second.
//
// A file is written once, from its beginning to its end, and never changed: an interrupted one stays as it is
// and reads up to its last whole block. It begins with the recording's own key, sealed to the box (HPKE, RFC
// 9180), so that who writes cannot read. Each block is sealed with that key (ChaCha20-Poly1305, RFC 8439); its
// nonce is its place in the file, so that none can be moved, doubled or left out. Sound stays in the codec in
// which it came and is decoded by who listens: a recording costs its calls next to nothing.
//
// Read format.go (the bytes), writer.go, reader.go (stereo, the caller left), wav.go.
package tape
