# Reads responses with http.client and says what it read.
#
#   read.py HOST PORT
#
# Standard input has a line for each response to ask for, "NUMBER METHOD". Standard output gets a JSON
# object for each. Bytes that are not ASCII are given as the characters of ISO 8859-1.
import hashlib
import http.client
import json
import sys

# Limits of http.client's own: one response has a thousand fields, and one a line of 100000 bytes.
http.client._MAXHEADERS = 10000
http.client._MAXLINE = 1 << 20


def read(conn, number, method):
    # http.client neither tells about informational responses nor about trailers.
    got = {"number": number, "error": ""}
    try:
        conn.request(method, "/%d" % number)
        response = conn.getresponse()
        got["status"] = response.status
        got["version"] = {10: "1.0", 11: "1.1"}.get(response.version, str(response.version))
        got["reason"] = response.reason
        got["header"] = response.getheaders()
        body = response.read()
        got["length"] = len(body)
        got["sha256"] = hashlib.sha256(body).hexdigest()
        if response.status < 200 or method == "CONNECT":
            conn.close()  # what comes next on it is no response to the next request
    except (http.client.IncompleteRead, http.client.RemoteDisconnected):
        got["error"] = "truncated"
        conn.close()
    except Exception as e:
        got["error"] = "%s: %s" % (type(e).__name__, e)
        conn.close()
    return got


def main():
    conn = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
    for line in sys.stdin:
        number, method = line.split()
        print(json.dumps(read(conn, int(number), method)))
    conn.close()


main()
