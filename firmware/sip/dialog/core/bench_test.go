package core

import "testing"

// BenchmarkEncode is what each change of an established call costs before the journal's write.
func BenchmarkEncode(b *testing.B) {
	s := base()
	s.Phase, s.Peer, s.LocalSDP, s.RemoteSDP = Up, bob(), make([]byte, 400), make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		text, err := s.Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text)))
	}
}

// BenchmarkNext is one request and its effects inside an established call.
func BenchmarkNext(b *testing.B) {
	s := base()
	s.Phase, s.Peer = Up, bob()
	b.ReportAllocs()
	for b.Loop() {
		s, _ = Next(s, GotRequest{Method: "INFO", CSeq: s.Peer.CSeq + 1, Tag: "bob"}, start)
		if s.Phase != Up {
			b.Fatal(s.Phase)
		}
	}
}
