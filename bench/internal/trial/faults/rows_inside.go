package faults

// Rows with faults that can only be observed inside a process.

// tests runs one of two tests of core, depending on the server.
func (t *trial) tests(netHTTP, recycling string) error {
	run := netHTTP
	if t.recycling {
		run = recycling
	}
	if run == "" {
		return skip("a test of recycling's")
	}
	return t.source.test(t.ctx, "core", run)
}

func retention(t *trial) error {
	return t.tests("^TestGoroutine$/^goroutine$/^retention$", "^TestRecycling$/^own$/^retention$|^TestHertz1341_RequestMayBeKept$")
}

func goroutineState(t *trial) error {
	return t.tests("", "^TestLockedWorkersServeFewRequestsMore$|^TestProfilerLabelsDoNotOutliveTheTurnOfTheirConnection$")
}

func lifecycles(t *trial) error {
	return t.tests("", "^TestShutdownMayBeCalledOftenAndTogether$|^TestServeAfterShutdownReturnsErrServerClosed$|^TestCloseBeforeServeEndsTheServer$|^TestCloseDuringShutdownEndsBoth$")
}

func http2Floods(t *trial) error {
	return t.tests("", "^TestCVE_2023_44487|^TestCVE_2023_45288|^TestCVE_2019_9512")
}

func races(*trial) error {
	return skip("go test -race of all modules takes minutes, and is a step of .ci/release")
}
