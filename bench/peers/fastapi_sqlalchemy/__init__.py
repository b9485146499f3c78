"""FastAPI, SQLAlchemy's ORM and Pydantic, on uvicorn."""
