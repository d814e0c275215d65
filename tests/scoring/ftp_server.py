"""An FTP server of a folder for everybody on this machine: `python ftp_server.py FOLDER PORT`. Prints its port."""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

if __name__ == "__main__":
    FTPHandler.authorizer = DummyAuthorizer()
    FTPHandler.authorizer.add_user("user", "secret", sys.argv[1], perm="elradfmwMT")
    server = FTPServer(("127.0.0.1", int(sys.argv[2])), FTPHandler)
    sys.stdout.write(f"{server.address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
