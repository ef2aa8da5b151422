'use strict';

const maxPictures = 20; // at a time
const atOnce = 3; // uploads
const maxAttempts = 10; // of an upload
const memory = 'thumbnails-later'; // key in localStorage

const byId = id => document.getElementById(id);
const summary = byId('summary');
let settings = {later: false, maxBytes: Infinity};

// A Picture is one picture in the list.
class Picture {
	constructor(name) {
		this.name = name;
		this.abort = new AbortController();
		this.item = document.createElement('li');
		this.add('h2', name);
		this.bar = this.add('progress', '');
		this.bar.max = 100;
		this.bar.setAttribute('aria-label', 'Progress of ' + name);
		this.text = this.add('p', 'Waiting.');
		this.button = this.add('button', 'Cancel');
		this.button.type = 'button';
		this.button.setAttribute('aria-label', 'Cancel ' + name);
		this.button.onclick = () => this.abort.abort();
		byId('pictures').prepend(this.item);
	}

	add(tag, text) {
		const e = document.createElement(tag);
		e.textContent = text;
		this.item.append(e);
		return e;
	}

	// show says what happens at present; percent is null if nobody knows how far it is.
	show(text, percent = null) {
		this.text.textContent = text;
		if (percent === null) this.bar.removeAttribute('value');
		else this.bar.value = percent;
	}

	end(text) {
		this.bar.remove();
		this.button.remove();
		this.text.textContent = text;
	}

	fail(text) {
		this.end(text);
		this.text.className = 'bad';
		return false;
	}

	done(t) {
		const img = document.createElement('img');
		img.alt = 'Thumbnail of ' + this.name;
		img.width = t.width;
		img.height = t.height;
		img.src = `data:${t.type === 'image/png' ? 'image/png' : 'image/jpeg'};base64,${t.picture}`;
		this.text.before(img);
		this.end(`${t.width} × ${t.height}, made by ${maker(t)}`);
		return true;
	}
}

// Where the thumbnails are made, by the name of the place.
const places = {
	process: 'in the process of the server',
	children: 'in child processes',
	nats: 'by workers behind NATS',
};

const maker = m => `process ${m.pid} on ${m.host} (place ${m.place})`;

// pause waits, but not longer than until signal is aborted.
function pause(seconds, signal) {
	return new Promise(resolve => {
		const timer = setTimeout(resolve, seconds * 1000);
		signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); });
	});
}

// retryAfter returns in how many seconds the server wants to be asked again. Not all clients that
// were refused should come back at the same moment.
function retryAfter(response) {
	const seconds = parseInt(response?.headers.get('Retry-After'), 10) || 1;
	return Math.min(Math.max(seconds, 1), 60) * (1 + Math.random() / 2);
}

// upload sends a picture until it is accepted or wrong, and calls use with the response. If use
// returns undefined, the response was cut off.
async function upload(picture, file, path, use) {
	const signal = picture.abort.signal;
	for (let attempt = 1; ; attempt++) {
		let why = 'The connection was lost.', response;
		try {
			picture.show('Sending.');
			response = await fetch(path, {method: 'POST', body: file, signal});
			if (response.ok) {
				const result = await use(response);
				if (result !== undefined) return result;
			} else if (response.status < 502 || response.status > 504) {
				return picture.fail((await response.text()).trim());
			} else {
				why = response.status === 503 ? 'The server is busy.' : 'The worker was lost, or took too long.';
			}
		} catch (e) {
			if (!signal.aborted) console.debug(e);
		}
		if (!signal.aborted && attempt < maxAttempts) {
			const wait = retryAfter(response);
			picture.show(`${why} Trying again in ${Math.ceil(wait)} s.`);
			await pause(wait, signal);
		}
		if (signal.aborted) return picture.fail('Cancelled.');
		if (attempt === maxAttempts) return picture.fail(`${why} Gave up after ${maxAttempts} attempts.`);
	}
}

// follow shows the events of a response, one in each line.
async function follow(picture, response) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '', by = '';
	for (;;) {
		const {value, done} = await reader.read();
		if (done) return undefined;
		const lines = (rest + value).split('\n');
		rest = lines.pop();
		for (const line of lines) {
			const e = JSON.parse(line);
			if (e.maker) picture.show('Being made by ' + (by = maker(e.maker)), 0);
			if (e.percent) picture.show('Being made by ' + by, e.percent);
			if (e.problem) return picture.fail(e.problem);
			if (e.thumbnail) return picture.done(e.thumbnail);
		}
	}
}

const now = (picture, file) => upload(picture, file, 'thumbnail/progress', r => follow(picture, r));

async function later(picture, file) {
	const status = await upload(picture, file, 'thumbnail/later', r => r.json());
	if (!status) return false;
	remember([...remembered().filter(p => p.id !== status.id), {id: status.id, name: picture.name}]);
	return watch(picture, status.id);
}

// watch asks for the state of a picture that the server keeps, until it has ended.
async function watch(picture, id) {
	picture.button.textContent = 'Forget';
	picture.button.setAttribute('aria-label', 'Forget ' + picture.name);
	const signal = picture.abort.signal;
	while (!signal.aborted) {
		let wait = 1;
		try {
			const response = await fetch('later/' + id, {signal});
			if (response.status === 404) {
				forget(id);
				return picture.fail('The server does not have it any more.');
			}
			if (response.ok) {
				const status = await response.json();
				if (status.state === 'done') {
					const result = await fetch(`later/${id}/result`, {signal});
					if (result.ok) return picture.done(await result.json());
				} else if (status.state === 'dead') {
					return picture.fail(status.message);
				} else {
					picture.show(status.state === 'queued' ? 'Kept; waiting for a worker.' : `Kept; ${status.state}, attempt ${status.attempt}.`);
				}
			} else {
				wait = retryAfter(response);
			}
		} catch (e) {
			picture.show('Kept. The server cannot be reached at present.');
		}
		await pause(wait, signal);
	}
	forget(id);
	return picture.fail('Forgotten here.');
}

function remembered() {
	try {
		return JSON.parse(localStorage.getItem(memory)) ?? [];
	} catch (e) {
		return []; // the browser keeps nothing, or something else
	}
}

function remember(list) {
	try {
		localStorage.setItem(memory, JSON.stringify(list.slice(-maxPictures)));
	} catch (e) { /* then it is forgotten with this page */ }
}

const forget = id => remember(remembered().filter(p => p.id !== id));

// makeAll makes the thumbnails of files, a few at a time.
async function makeAll(files) {
	const make = byId('later').checked ? later : now;
	// Each new one becomes the first in the list.
	const todo = files.reverse().map(file => [new Picture(file.name), file]).reverse();
	let made = 0, ended = 0;
	const some = async () => {
		for (let next; (next = todo.shift());) {
			const [picture, file] = next;
			if (file.size > settings.maxBytes) picture.fail(`The picture has more than ${settings.maxBytes >> 20} MiB.`);
			else if (picture.abort.signal.aborted) picture.fail('Cancelled.');
			else if (await make(picture, file)) made++;
			ended++;
			summary.textContent = `${made} of ${files.length} thumbnails made` + (ended > made ? `, ${ended - made} failed.` : '.');
		}
	};
	await Promise.all(Array.from({length: atOnce}, some));
}

byId('form').addEventListener('submit', e => {
	e.preventDefault();
	const files = [...byId('files').files];
	if (files.length > maxPictures) {
		summary.textContent = `${files.length} pictures are too many: choose at most ${maxPictures}.`;
		return;
	}
	summary.textContent = `0 of ${files.length} thumbnails made.`;
	makeAll(files);
});

async function start() {
	const response = await fetch('settings');
	settings = await response.json();
	byId('place').textContent = `Thumbnails are made ${places[settings.place]}.`;
	byId('bounds').textContent = `JPEG, PNG or GIF, up to ${settings.maxBytes >> 20} MiB and ${settings.maxPixels / 1e6} megapixels each; at most ${maxPictures} at a time.`;
	if (!settings.later) return;
	byId('choice').hidden = false;
	for (const {id, name} of remembered()) watch(new Picture(name), id);
}

start().catch(e => { summary.textContent = 'The server cannot be reached. Reload the page.'; });
