import asyncio
import resource

import tornado.httpserver
import tornado.netutil
import tornado.web


class Yo(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("Hey!")


class Sleep(tornado.web.RequestHandler):
    async def get(self, ms):
        await asyncio.sleep(int(ms) / 1000)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write("slept")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/yo", Yo), (r"/sleep/(\d+)", Sleep)]))
    server.add_sockets(tornado.netutil.bind_sockets({{.Port}}, "127.0.0.1", backlog=4096))
    await asyncio.Event().wait()


# Servers written in Go raise this limit, too.
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
asyncio.run(main())
