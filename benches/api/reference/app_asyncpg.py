# The same endpoint with asyncpg alone: no ORM, no ping before use, no log, no metrics.
import os, asyncpg
from fastapi import FastAPI, HTTPException
app = FastAPI(); pool = None
@app.on_event("startup") if hasattr(app, "on_event") else (lambda f: f)
async def up():
    global pool; pool = await asyncpg.create_pool(os.environ["ASYNCPG_URL"], min_size=10, max_size=10)
@app.get("/users/indexed")
async def indexed(email: str):
    global pool
    if pool is None: await up()
    r = await pool.fetchrow("SELECT id, email, name, status, created_at FROM users WHERE email = $1", email)
    if r is None: raise HTTPException(404)
    return dict(r)
