package offload

// replace replaces worn resources until no more are worn: see renewal. It runs on a goroutine of
// its own. What the application provides runs on further ones, as it may end its goroutine.
func (s *resources[R]) replace() {
	p := s.pool
	tries := 0
	for {
		s.backOff(p.openCtx, tries)
		round, ok := p.wanted()
		if !ok {
			return
		}
		o := newOwned[R]()
		err := errExited
		apart(func() { err = s.build(p.openCtx, o) })
		tries++
		if err != nil {
			apart(func() { s.close(o) }) // it is open if Event has ended its goroutine
			if p.openCtx.Err() == nil {
				apart(func() { s.report(err) })
			}
			continue
		}
		old, good := p.offer(o.lease, round)
		if good {
			tries = 0
		}
		if old == nil {
			apart(func() { s.close(o) })
			continue
		}
		apart(func() { s.announce(old) })
		apart(func() { s.close(old.self.(*owned[R])) })
	}
}

// announce reports that the resource of a lease has been replaced.
func (s *resources[R]) announce(l *lease) {
	s.pool.mu.Lock()
	why := l.worn
	s.pool.mu.Unlock()
	if why == nil {
		why = errRestart
	}
	s.pool.event(Event{Kind: ResourceReplaced, Resource: l.self.(*owned[R]).resource, Err: why})
}

// apart runs f on a goroutine of its own, and waits for it.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// armCheck has the resource checked when it is time.
func (s *resources[R]) armCheck(o *owned[R]) {
	if s.c.Worn != nil && s.c.CheckEvery > 0 {
		s.pool.arm(o.lease, checkTimer, s.c.CheckEvery, func() { s.check(o) })
	}
}

// check asks whether a resource is worn. A timer calls it, on a goroutine of its own.
func (s *resources[R]) check(o *owned[R]) {
	if !s.pool.beginCheck(o.lease) {
		return
	}
	var why error
	defer func() {
		s.pool.endCheck(o.lease)
		if why != nil {
			s.pool.wear(o.lease, why)
		} else {
			s.armCheck(o)
		}
	}()
	why = s.wornOut(o)
}

// wornOut calls ResourceConfig.Worn.
func (s *resources[R]) wornOut(o *owned[R]) (why error) {
	s.pool.callback(func() { why = s.c.Worn(o.resource) })
	return why
}
